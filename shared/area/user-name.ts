import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** How long an answer is kept, ms: every metrics scrape reads the caches of all areas. */
const keptMs = 60_000;

/** Caches each answer for `keptMs`. */
function remembered<Key, Answer>(read: (key: Key) => Answer): (key: Key) => Answer {
  const known = new Map<Key, { answer: Answer; readAt: number }>();
  return (key) => {
    const now = performance.now();
    const before = known.get(key);
    if (before !== undefined && now - before.readAt < keptMs) return before.answer;
    if (known.size > 1_000) known.clear();
    const answer = read(key);
    known.set(key, { answer, readAt: now });
    return answer;
  };
}

/**
 * Returns a user's number from the system's database (files, LDAP, …). A number, as in a container, stands for
 * itself. Runs `id`, without a shell; reads `/etc/passwd` if that is missing.
 */
export const userId = remembered((name: string): number | undefined => {
  if (/^\d{1,10}$/.test(name)) return Number(name);
  if (!/^[A-Za-z_][\w.@-]*\$?$/.test(name)) return undefined;
  const uid = runId(["-u", "--", name], () => passwdLines().find(([user]) => user === name)?.[2]);
  return uid === undefined ? undefined : Number(uid);
});

/** Returns a user's name, as in Megatest's cache path; the number if it has none. */
export const userName = remembered((uid: number): string => {
  const number = String(uid);
  return runId(["-un", "--", number], () => passwdLines().find(([, , id]) => id === number)?.[0]) ?? number;
});

export function userText(uid: number): string {
  const name = userName(uid);
  return name === String(uid) ? `user ${uid}` : `${name} (user ${uid})`;
}

function runId(args: readonly string[], fromFile: () => string | undefined): string | undefined {
  try {
    const output = execFileSync("id", args, {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
      timeout: 10_000,
    });
    return output.trim();
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ENOENT" ? fromFile() : undefined;
  }
}

const linesOf = (file: string) =>
  readFileSync(file, "utf8")
    .split("\n")
    .map((line) => line.split(":"));

const passwdLines = () => linesOf("/etc/passwd");

/** Returns a user's group numbers; undefined if unknown. Not cached, since membership may have just changed. */
export function groupIds(name: string): number[] | undefined {
  if (!/^[A-Za-z_][\w.@-]*\$?$/.test(name)) return undefined;
  const numbers = runId(["-G", "--", name], () => groupsFromFiles(name));
  return numbers === undefined || numbers === "" ? undefined : numbers.split(/\s+/).map(Number);
}

function groupsFromFiles(name: string): string {
  const own = passwdLines().filter(([user]) => user === name);
  const named = linesOf("/etc/group").filter(([, , , members]) => members?.split(",").includes(name));
  return [...own.map((fields) => fields[3]), ...named.map((fields) => fields[2])].join(" ");
}
