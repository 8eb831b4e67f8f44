import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** What was asked for lately; caches are looked at with every scrape of all areas. */
const known = new Map<string, { uid: number | undefined; askedAt: number }>();
const keptMs = 60_000;

/**
 * The number of a user, from wherever this system keeps its users (files, LDAP, …). Undefined where no user has the
 * name; a number, as a container's user may have for a name, stands for itself. Runs `id`, without a shell, once a minute
 * for each name; where that is missing, reads `/etc/passwd`.
 */
export function userId(name: string): number | undefined {
  const now = performance.now();
  const before = known.get(name);
  if (before !== undefined && now - before.askedAt < keptMs) return before.uid;
  if (known.size > 1_000) known.clear();
  const uid = ask(name);
  known.set(name, { uid, askedAt: now });
  return uid;
}

function ask(name: string): number | undefined {
  if (/^\d{1,10}$/.test(name)) return Number(name);
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

/**
 * The numbers of all groups that a user is in, as far as this system tells by `id`, or else by `/etc/passwd` and `/etc/group`.
 * Asked anew each time: who was put into a group a moment ago may write.
 */
export function groupIds(name: string): number[] {
  if (!/^[A-Za-z_][\w.@-]*\$?$/.test(name)) return [];
  try {
    const output = execFileSync("id", ["-G", "--", name], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
      timeout: 10_000,
    });
    return output.trim().split(/\s+/).map(Number);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ENOENT" ? groupsFromFiles(name) : [];
  }
}

function groupsFromFiles(name: string): number[] {
  const linesOf = (file: string) =>
    readFileSync(file, "utf8")
      .split("\n")
      .map((line) => line.split(":"));
  const own = linesOf("/etc/passwd").filter(([user]) => user === name);
  const named = linesOf("/etc/group").filter(([, , , members]) => members?.split(",").includes(name));
  return [...own.map((fields) => Number(fields[3])), ...named.map((fields) => Number(fields[2]))];
}
