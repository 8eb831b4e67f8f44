import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

export interface Link {
  port: number;
  /** Blocks all traffic, silently. */
  cut(): Promise<void>;
  /** Lets new connections through again; blocked ones end. */
  mend(): Promise<void>;
  remove(): void;
}

/** Opens a port that forwards to another one; `at` is the address that it listens on. */
export async function openLink(target: number, at = "127.0.0.1"): Promise<Link> {
  const child = fork(fileURLToPath(new URL("link-process.mjs", import.meta.url)), [String(target), at]);
  const [port] = (await once(child, "message")) as [number];
  const tell = async (what: "cut" | "mend") => {
    const done = once(child, "message");
    child.send(what);
    await done;
  };
  return { port, cut: () => tell("cut"), mend: () => tell("mend"), remove: () => void child.kill() };
}
