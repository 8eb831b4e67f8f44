import { lstatSync, mkdirSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** Returns whether the directory belongs to this user, and no other may write there. */
function isOwn(directory: string): boolean {
  const stat = lstatSync(directory, { throwIfNoEntry: false });
  return stat?.isDirectory() === true && stat.uid === process.geteuid?.() && (stat.mode & 0o022) === 0;
}

/** Returns whether the directory is there, made if need be, and belongs to this user alone. */
function isMade(directory: string): boolean {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
  } catch {
    return false; // read-only, or no space: it is only faster with it
  }
  return isOwn(directory);
}

/**
 * Lets V8 keep what it compiles of the product: a command starts in about half the time. What V8 finds there it runs, so
 * it must be a directory to which no other user can write: of this installation if it belongs to the user, where a new
 * build replaces it, otherwise of the home directory. Without one, nothing is kept. NODE_COMPILE_CACHE and
 * NODE_DISABLE_COMPILE_CACHE have their usual meaning.
 */
export function enableCompileCache(): void {
  if (process.env.NODE_COMPILE_CACHE !== undefined) return;
  const built = dirname(dirname(fileURLToPath(import.meta.url)));
  const home = homedir();
  const cache = join(home, ".cache", "mtjobs");
  const directory = isOwn(built)
    ? join(built, "compile-cache")
    : isOwn(home)
      ? join(cache, "compile-cache")
      : undefined;
  if (directory === undefined || !isMade(directory)) return;
  // A user who may rename a directory on the way could put another one in its place.
  if (directory.startsWith(cache) && !(isOwn(dirname(cache)) && isOwn(cache))) return;
  process.getBuiltinModule("node:module").enableCompileCache?.(directory);
  // For threads and for processes of its own.
  process.env.NODE_COMPILE_CACHE = directory;
}
