import { lookup } from "node:dns/promises";
import { BlockList, isIP } from "node:net";
import { JobsError } from "../../../shared/errors.ts";

export interface ListenAddress {
  /** A name, or an address without brackets. */
  host: string;
  /** 0: any free port. */
  port: number;
}

const loopback = new BlockList();
loopback.addSubnet("127.0.0.0", 8, "ipv4");
loopback.addAddress("::1", "ipv6");

/** Returns true for an address that only this machine can reach; false for a name. */
export function isLoopback(address: string): boolean {
  const family = isIP(address);
  return family !== 0 && loopback.check(address, family === 4 ? "ipv4" : "ipv6");
}

/** Parses `host:port`, `[::1]:port`, or a port on loopback. @throws {JobsError} `usage` */
export function parseListen(text: string, option = "--listen"): ListenAddress {
  if (/^\d{1,5}$/.test(text)) return parseListen(`127.0.0.1:${text}`, option);
  const {
    v6,
    host = v6,
    port,
  } = /^(?:\[(?<v6>[^\]]+)\]|(?<host>[^:[\]]+)):(?<port>\d{1,5})$/.exec(text)?.groups ?? {};
  if (host === undefined || port === undefined || Number(port) > 65_535) {
    throw new JobsError("usage", `${option}: "${text}" is not an address and port`, {
      hint: "use the form 127.0.0.1:3111 or [::1]:3111",
    });
  }
  return { host, port: Number(port) };
}

/**
 * Refuses an address that other machines can reach if there is no token.
 * @throws {JobsError} `bad-settings`; `usage` for a name that cannot be resolved
 */
export async function assertGuarded({ host }: ListenAddress, hasToken: boolean): Promise<void> {
  if (hasToken) return;
  const found = await lookup(host, { all: true }).catch((error: unknown) => {
    throw new JobsError("usage", `--listen: cannot resolve ${host}`, { cause: error });
  });
  if (found.every(({ address }) => isLoopback(address))) return;
  throw new JobsError("bad-settings", `without a token the server listens on loopback only, not on ${host}`, {
    hint: "set MTJOBS_TOKEN (--token) or MTJOBS_TOKENS_FILE, or listen on 127.0.0.1",
  });
}
