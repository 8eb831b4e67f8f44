import { type ChildProcess, execFile, spawn } from "node:child_process";
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";

/** The top of this checkout. */
export const root = fileURLToPath(new URL("../..", import.meta.url));

/** What a process said and how it ended. */
export interface Outcome {
  status: number | null;
  stdout: string;
  stderr: string;
}

/** An empty directory that goes when the test is over. */
export function temporaryDirectory(): string {
  const path = mkdtempSync(join(tmpdir(), "mtjobs-script-test-"));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** A checkout with the given sources; its scripts are copies, its packages are those of this checkout. */
export function smallCheckout(sources: Record<string, string>): string {
  const top = temporaryDirectory();
  cpSync(join(root, "scripts"), join(top, "scripts"), { recursive: true });
  for (const file of ["package.json", "npm-shrinkwrap.json", "tsconfig.json", "tsconfig.build.json"]) {
    cpSync(join(root, file), join(top, file));
  }
  symlinkSync(join(root, "node_modules"), join(top, "node_modules"));
  for (const [path, text] of Object.entries(sources)) {
    mkdirSync(dirname(join(top, path)), { recursive: true });
    writeFileSync(join(top, path), text);
  }
  return top;
}

/** A machine as a script sees it: one directory of programs as its PATH, and a directory for temporary files. */
export class Machine {
  readonly bin: string;
  readonly temporary: string;

  constructor() {
    const top = temporaryDirectory();
    this.bin = join(top, "bin");
    this.temporary = join(top, "tmp");
    mkdirSync(this.bin);
    mkdirSync(this.temporary);
  }

  /** Puts a real program on the PATH. */
  link(name: string, target: string): void {
    symlinkSync(target, join(this.bin, name));
  }

  /** Puts a shell script on the PATH. */
  script(name: string, body: string): void {
    writeFileSync(join(this.bin, name), `#!/bin/sh\n${body}\n`);
    chmodSync(join(this.bin, name), 0o755);
  }

  /** What the scripts left in the directory for temporary files. */
  leftovers(): string[] {
    return readdirSync(this.temporary);
  }

  environment(extra: Record<string, string> = {}): Record<string, string> {
    return { PATH: this.bin, TMPDIR: this.temporary, HOME: this.temporary, ...extra };
  }

  run(args: string[], extra: Record<string, string> = {}): Promise<Outcome> {
    return new Promise((resolve) => {
      const options = { env: this.environment(extra), cwd: root };
      const child = execFile(process.execPath, args, options, (_error, stdout, stderr) => {
        resolve({ status: child.exitCode, stdout, stderr });
      });
    });
  }

  /** Starts a program and resolves once it has written a first line to stdout. */
  async start(
    args: string[],
    cwd: string,
  ): Promise<{ child: ChildProcess; firstLine: string; ended: Promise<Outcome> }> {
    const child = spawn(process.execPath, args, { env: this.environment(), cwd });
    onTestFinished(() => void child.kill("SIGKILL"));
    let stdout = "";
    let stderr = "";
    child.stdout.on("data", (data) => (stdout += data));
    child.stderr.on("data", (data) => (stderr += data));
    const ended = new Promise<Outcome>((resolve) => {
      child.once("close", (status) => resolve({ status, stdout, stderr }));
    });
    await until(
      () => stdout.includes("\n") || child.exitCode !== null,
      () => `no line on stdout; stderr: ${stderr}`,
    );
    return { child, firstLine: stdout.split("\n")[0] ?? "", ended };
  }
}

/** Waits until a condition holds; rejects after 20 s with what `describe` tells. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  describe: () => string,
): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`waited 20 s in vain: ${describe()}`);
    await new Promise((next) => setTimeout(next, 20));
  }
}

/** Whether anything accepts connections at a `redis://host:port`. */
export function listens(url: string): Promise<boolean> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    const socket = connect({ host: hostname, port: Number(port) });
    socket.once("connect", () => socket.end(() => resolve(true)));
    socket.once("error", () => resolve(false));
  });
}

/** The path of a program on this machine's PATH, or undefined. */
export function findProgram(name: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    execFile("/bin/sh", ["-c", `command -v ${name}`], (error, stdout) => {
      resolve(error === null ? stdout.trim() : undefined);
    });
  });
}
