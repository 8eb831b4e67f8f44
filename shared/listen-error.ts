import type { ListenOptions } from "node:net";
import { JobsError, systemCode } from "./errors.ts";

const why: Record<string, string> = {
  EADDRINUSE: "another program listens there",
  EADDRNOTAVAIL: "this host has no such address",
  EACCES: "this user may not use that port",
};

/** Describes why a program cannot listen. @param option the one that names the address */
export function listenError(
  cause: unknown,
  { host, port }: Pick<ListenOptions, "host" | "port">,
  option: string,
): JobsError {
  const code = systemCode(cause);
  const reason = why[code] ?? (cause instanceof Error ? cause.message : code);
  return new JobsError("io", `cannot listen on ${host}:${port}: ${reason}`, {
    hint:
      code === "EADDRINUSE"
        ? `end that program, or choose another port with ${option}`
        : `choose another address or port with ${option}`,
    details: { host, port, reason: code },
    cause,
  });
}
