import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** Caches are looked at with every scrape of all areas: for how long an answer is good, in ms. */
const keptMs = 60_000;

/** `ask`, once in `keptMs` for each argument. */
function remembered<Key, Answer>(ask: (key: Key) => Answer): (key: Key) => Answer {
  const known = new Map<Key, { answer: Answer; askedAt: number }>();
  return (key) => {
    const now = performance.now();
    const before = known.get(key);
    if (before !== undefined && now - before.askedAt < keptMs) return before.answer;
    if (known.size > 1_000) known.clear();
    const answer = ask(key);
    known.set(key, { answer, askedAt: now });
    return answer;
  };
}

/**
 * The number of a user, from wherever this system keeps its users (files, LDAP, …). Undefined where no user has the
 * name; a number, as a container's user may have for a name, stands for itself. Runs `id`, without a shell, once a minute
 * for each name; where that is missing, reads `/etc/passwd`.
 */
export const userId = remembered((name: string): number | undefined => {
  if (/^\d{1,10}$/.test(name)) return Number(name);
  if (!/^[A-Za-z_][\w.@-]*\$?$/.test(name)) return undefined;
  const uid = askSystem(["-u", "--", name], () => passwdLines().find(([user]) => user === name)?.[2]);
  return uid === undefined ? undefined : Number(uid);
});

/** The name of a user by number, as Megatest puts it into the cache's path; the number itself for a user without a name. */
export const userName = remembered((uid: number): string => {
  const number = String(uid);
  return (
    askSystem(["-un", "--", number], () => passwdLines().find(([, , id]) => id === number)?.[0]) ?? number
  );
});

/** A user as messages name it: by name and number, or by number alone. */
export function userText(uid: number): string {
  const name = userName(uid);
  return name === String(uid) ? `user ${uid}` : `${name} (user ${uid})`;
}

/** What `id` says, or where that is missing the file; undefined where there is no such user. */
function askSystem(args: readonly string[], fromFile: () => string | undefined): string | undefined {
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

/**
 * The numbers of all groups that a user is in, as far as this system tells by `id`, or else by `/etc/passwd` and `/etc/group`.
 * Asked anew each time: who was put into a group a moment ago may write. Undefined where it does not know the user, such as
 * a container's number, or does not answer.
 */
export function groupIds(name: string): number[] | undefined {
  if (!/^[A-Za-z_][\w.@-]*\$?$/.test(name)) return undefined;
  const numbers = askSystem(["-G", "--", name], () => groupsFromFiles(name));
  return numbers === undefined || numbers === "" ? undefined : numbers.split(/\s+/).map(Number);
}

function groupsFromFiles(name: string): string {
  const own = passwdLines().filter(([user]) => user === name);
  const named = linesOf("/etc/group").filter(([, , , members]) => members?.split(",").includes(name));
  return [...own.map((fields) => fields[3]), ...named.map((fields) => fields[2])].join(" ");
}
