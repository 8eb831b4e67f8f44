/**
 * Valid content of `.homehost`: an IPv4 or IPv6 address or a host name, without a port. Four dotted numbers must be
 * an IPv4 address.
 */
export const homeName =
  /^(?:(?!\d+(?:\.\d+){3}$)[A-Za-z0-9][A-Za-z0-9._-]*|(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}|[\dA-Fa-f](?=[^:]*:[^:]*:)[\dA-Fa-f:.]*)$/;
