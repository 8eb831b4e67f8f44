import { readdirSync, readFileSync } from "node:fs";
import { posix } from "node:path";
import { parseSync } from "oxc-parser";

/** Packages and modules that start processes and threads, or talk to Redis. */
const outside =
  /^(node:(child_process|worker_threads|net|http)|bullmq|ioredis|redlock|playwright-core|workers\/threads\/.*)$/;

/** Run `mkfifo` and `chattr`, for which Node has no function; they have ended when the call returns. */
const harmless = new Set(["test/support/area/make-fifo.ts", "test/support/area/immutable.ts"]);

/**
 * Returns the test files that need neither Redis nor a build nor another process, computed from what they import. A
 * file needs more if it, or a file of test/ or scripts/ that it imports, imports what starts processes or connects, or
 * names a built file. Thus every file that imports the doors queue.ts or hosts.ts does. `refuse-outside.ts` makes
 * what slips through fail.
 */
export function unitTests(): string[] {
  const known = new Map<string, boolean>();
  return readdirSync("test", { recursive: true, encoding: "utf8" })
    .map((file) => posix.join("test", file.replaceAll("\\", "/")))
    .filter((file) => file.endsWith(".test.ts") && !needsMore(file, known))
    .sort();
}

function needsMore(path: string, known: Map<string, boolean>): boolean {
  const found = known.get(path);
  if (found !== undefined) return found;
  // An import that closes a circle adds nothing.
  known.set(path, false);
  const text = readFileSync(path, "utf8");
  const needs =
    !harmless.has(path) &&
    (/\bdist(-test)?\//.test(text) || importsOf(path, text).some((from) => reachesOutside(from, known)));
  known.set(path, needs);
  return needs;
}

function reachesOutside(from: string, known: Map<string, boolean>): boolean {
  if (outside.test(from)) return true;
  return /^(test|scripts)\/.*\.m?[tj]s$/.test(from) && needsMore(from, known);
}

/** What is loaded with a file: paths from the root, and names of packages. */
function importsOf(path: string, text: string): string[] {
  const { staticImports, staticExports } = parseSync(path, text).module;
  const statements = [
    ...staticImports.map(({ moduleRequest, entries }) => ({ from: moduleRequest.value, entries })),
    ...staticExports.map(({ entries }) => ({ from: entries[0]?.moduleRequest?.value, entries })),
  ];
  return statements.flatMap(({ from, entries }) => {
    if (from === undefined || (entries.length > 0 && entries.every(({ isType }) => isType))) return [];
    return from.startsWith(".") ? posix.join(posix.dirname(path), from) : from;
  });
}
