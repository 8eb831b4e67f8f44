import { spawn } from "node:child_process";
import { once } from "node:events";
import { onTestFinished } from "vitest";

/** Starts a process that holds a file open until the test ends; resolves to its pid once it does. */
export async function holdOpen(path: string, options: { uid?: number } = {}): Promise<number> {
  const code =
    "require('fs').openSync(process.argv[1], 'r'); process.stdout.write('open'); setInterval(() => {}, 1e6)";
  const child = spawn(process.execPath, ["-e", code, path], {
    stdio: ["ignore", "pipe", "inherit"],
    ...options,
  });
  onTestFinished(async () => {
    child.kill("SIGKILL");
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  });
  await Promise.race([
    once(child.stdout, "data"),
    once(child, "exit").then(() => {
      throw new Error(`the holder of ${path} ended`);
    }),
  ]);
  if (child.pid === undefined) throw new Error("the holder has no pid");
  return child.pid;
}
