import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

export interface Link {
  port: number;
  /** Blocks all traffic, silently. */
  cut(): Promise<void>;
  /** Lets new connections through again; blocked ones end. */
  restore(): Promise<void>;
  remove(): void;
}

/** Opens a port that forwards to another one; `at` is the address that it listens on. */
export async function openLink(target: number, at = "127.0.0.1"): Promise<Link> {
  const child = fork(fileURLToPath(new URL("link-process.mjs", import.meta.url)), [String(target), at]);
  const [port] = (await once(child, "message")) as [number];
  const send = async (what: "cut" | "restore") => {
    const done = once(child, "message");
    child.send(what);
    await done;
  };
  return { port, cut: () => send("cut"), restore: () => send("restore"), remove: () => void child.kill() };
}
