import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

/**
 * The number of a user, from wherever this system keeps its users (files, LDAP, …). Undefined where no user has the
 * name. Runs `id`, without a shell; where that is missing, reads `/etc/passwd`.
 */
export function userId(name: string): number | undefined {
  if (!/^[A-Za-z_][\w.@-]*\$?$/.test(name)) return undefined;
  try {
    const output = execFileSync("id", ["-u", "--", name], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
      timeout: 10_000,
    });
    return Number(output.trim());
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ENOENT" ? fromPasswd(name) : undefined;
  }
}

function fromPasswd(name: string): number | undefined {
  const line = readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .find((entry) => entry.startsWith(`${name}:`));
  const uid = line?.split(":")[2];
  return uid === undefined ? undefined : Number(uid);
}
