import { userInfo } from "node:os";

/** Returns this process's user; its number if it has no name, as in a container. */
export function currentUser(): { uid: number; username: string } {
  const uid = process.getuid?.() ?? -1;
  try {
    return { uid, username: userInfo().username };
  } catch {
    return { uid, username: String(uid) };
  }
}
