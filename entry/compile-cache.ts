import { existsSync, lstatSync, mkdirSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** Returns whether the directory belongs to this user, and no other may write there. */
function isOwn(directory: string): boolean {
  const stat = lstatSync(directory, { throwIfNoEntry: false });
  return stat?.isDirectory() === true && stat.uid === process.geteuid?.() && (stat.mode & 0o022) === 0;
}

/**
 * Returns a directory below `base`, made if need be. Undefined if it cannot be made, or if another user could write to
 * it or, on the way to it, put another one in its place.
 */
function ownDirectory(base: string, ...names: string[]): string | undefined {
  if (!isOwn(base)) return undefined;
  const [name, ...rest] = names;
  if (name === undefined) return base;
  const directory = join(base, name);
  try {
    if (!existsSync(directory)) mkdirSync(directory, { mode: 0o700 });
  } catch {
    return undefined; // read-only, or no space: it is only faster with it
  }
  return ownDirectory(directory, ...rest);
}

/**
 * Lets V8 keep what it compiles of the product, so that the next command starts sooner. What V8 finds there it runs, so
 * it must be a directory to which no other user can write: of this installation if it belongs to the user, where a new
 * build replaces it, otherwise of the home directory. Without one, nothing is kept. NODE_COMPILE_CACHE and
 * NODE_DISABLE_COMPILE_CACHE have their usual meaning.
 */
export function enableCompileCache(): void {
  if (process.env.NODE_COMPILE_CACHE !== undefined) return;
  const built = dirname(dirname(fileURLToPath(import.meta.url)));
  const directory =
    ownDirectory(built, "compile-cache") ?? ownDirectory(homedir(), ".cache", "mtjobs", "compile-cache");
  if (directory === undefined) return;
  process.getBuiltinModule("node:module").enableCompileCache?.(directory);
  // For threads and for processes of its own.
  process.env.NODE_COMPILE_CACHE = directory;
}
