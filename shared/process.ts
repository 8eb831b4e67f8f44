import { userInfo } from "node:os";

/**
 * Returns the URL of a built program or thread. Tests run from TypeScript, which Node 20 cannot start: then the file
 * in dist/ is used.
 *
 * @param name of the JavaScript file, relative to the caller
 */
export function builtFile(name: string, caller: string): URL {
  const beside = new URL(name, caller);
  if (!caller.endsWith(".ts")) return beside;
  const root = new URL("..", import.meta.url);
  return new URL(`dist/${beside.href.slice(root.href.length)}`, root);
}

/** Returns this process's user; its number if it has no name, as in a container. */
export function currentUser(): { uid: number; username: string } {
  const uid = process.getuid?.() ?? -1;
  try {
    return { uid, username: userInfo().username };
  } catch {
    return { uid, username: String(uid) };
  }
}
