import { userInfo } from "node:os";

/** Who runs this process. A container may run as a number that has no name: then the number is the name. */
export function currentUser(): { uid: number; username: string } {
  const uid = process.getuid?.() ?? -1;
  try {
    return { uid, username: userInfo().username };
  } catch {
    return { uid, username: String(uid) };
  }
}
