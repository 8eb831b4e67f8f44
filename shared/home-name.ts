/**
 * What `.homehost` may hold, as who reads it has it: an address or a host's name. All that is to be written there is checked
 * by it where it comes in. Four numbers with dots are an IPv4 address or nothing, and a colon is of an IPv6 address alone: no port.
 */
export const homeName =
  /^(?:(?!\d+(?:\.\d+){3}$)[A-Za-z0-9][A-Za-z0-9._-]*|(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}|[\dA-Fa-f](?=[^:]*:[^:]*:)[\dA-Fa-f:.]*)$/;
