import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { which } from "../../scripts/command.mjs";
import { collectOutput, type Finished } from "../support/queue.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
/** Variables for podman beside this process's own. */
const environment: Record<string, string> = {};

type Ended = Pick<Finished, "code" | "stdout" | "stderr">;

/** Runs a program in the checkout, without a terminal. */
export async function run(
  program: string,
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<Ended> {
  const child = spawn(program, args, {
    cwd: root,
    env: { ...process.env, ...environment, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  return await collectOutput(child).ended;
}

export const podman = (...args: string[]): Promise<Ended> => run("podman", args);

/** Runs a program that must succeed; resolves to its output without the last line's end. */
export async function output(program: string, args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await run(program, args);
  if (code !== 0) throw new Error(`${program} ${args.join(" ")} ended with ${code}: ${stderr.slice(-3000)}`);
  return stdout.trimEnd();
}

/** The least that containers need, for machines on which the usual limits may not be set, or crun not run. */
const lowLimits = '[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]\n';
const configurations = [undefined, lowLimits, `${lowLimits}[engine]\nruntime = "runc"\n`];

/**
 * Finds a configuration with which podman starts containers here. Resolves to a function that removes its file.
 *
 * @throws what podman said to each
 */
export async function configurePodman(image: string): Promise<() => void> {
  const refusals: string[] = [];
  const directory = mkdtempSync(join(tmpdir(), "mtjobs-podman-"));
  const remove = () => rmSync(directory, { recursive: true, force: true });
  for (const configuration of configurations) {
    if (configuration?.includes("runc") === true && which("runc") === undefined) continue;
    if (configuration !== undefined) {
      environment.CONTAINERS_CONF = join(directory, "containers.conf");
      writeFileSync(environment.CONTAINERS_CONF, configuration);
    }
    const { code, stderr } = await podman("run", "--rm", "--network=none", image, "node", "--version");
    if (code === 0) return remove;
    refusals.push(stderr);
  }
  remove();
  throw new Error(`podman starts no container here: ${refusals.join("")}`);
}
