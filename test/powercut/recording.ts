import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Random, seededRandom } from "../../producers/demo/sample-area/random.ts";
import { type Call, isBelow, readCalls, straceArguments } from "./calls.ts";
import { afterCut, copyOf, hashOf, type Laid, type Reached, readDisk } from "./cut.ts";
import type { Disk } from "./disk.ts";

/** What a job did to its file systems, and what they held before: any moment of it can be gone back to. */
export interface Recording {
  /** As they were before, all of it on disk. */
  disks: readonly Disk[];
  calls: readonly Call[];
}

/**
 * Runs `work`, which is given a directory for traces, and reads what the processes traced there did below `roots`.
 *
 * @param work resolves to the names of its traces, once the process that wrote them has ended
 * @throws Error if the disks by the trace differ from the real ones: a process changed them unseen
 */
export async function record(
  roots: readonly string[],
  work: (traces: string) => Promise<readonly string[]>,
): Promise<Recording> {
  const disks = roots.map(readDisk);
  const traces = mkdtempSync(join(tmpdir(), "mtjobs-strace-"));
  try {
    const prefixes = await work(traces);
    const recording = { disks, calls: readCalls(traces, prefixes, roots) };
    const faults = modelFaults(recording);
    if (faults.length > 0) throw new Error(`the trace does not lead to what is there: ${faults.join("; ")}`);
    return recording;
  } finally {
    rmSync(traces, { recursive: true, force: true });
  }
}

/** Runs a program to its end under strace. @throws Error where it fails */
export async function traceProgram(
  prefix: string,
  args: readonly string[],
  env: Record<string, string>,
): Promise<void> {
  const child = spawn("strace", [...straceArguments(prefix), process.execPath, ...args], {
    env: { PATH: process.env.PATH, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => (output += text));
  const [code] = (await once(child, "close")) as [number | null];
  if (code !== 0) throw new Error(`${args.slice(1).join(" ")} ended with ${code}: ${output.slice(-2000)}`);
}

/** Has strace follow a process that runs already; resolves once it does. */
export async function traceRunning(prefix: string, pid: number): Promise<ChildProcess> {
  const args = straceArguments(prefix).filter((argument) => argument !== "-qq");
  const tracer = spawn("strace", [...args, "-p", String(pid)], { stdio: ["ignore", "ignore", "pipe"] });
  await new Promise<void>((resolve, reject) => {
    tracer.stderr.setEncoding("utf8").on("data", (text: string) => {
      if (text.includes("attached")) resolve();
    });
    tracer.once("exit", (code) => reject(new Error(`strace ended with ${code}`)));
  });
  return tracer;
}

/** The disks as they were after so many calls. */
export function replay({ disks, calls }: Recording, upTo: number): Disk[] {
  const copies = disks.map(copyOf);
  for (const call of calls.slice(0, upTo)) {
    const disk = copies.find(({ root }) => isBelow(call.deed.path, root));
    disk?.apply(call);
  }
  return copies;
}

/** A power cut: after how many calls, and what of each disk had been flushed by then. */
export interface Cut {
  upTo: number;
  reached: readonly Reached[];
  /** Whose writes to each disk may be lost; everybody's where it is left out. */
  losers?: readonly (readonly string[] | undefined)[];
  /** Of what reached the disks by chance, and of what is done after. */
  seed: number;
}

/** What a power cut leaves of all disks, by path, and what tells it from another one. */
export function cutShort(recording: Recording, cut: Cut): { laid: Map<string, Laid>[]; hash: string } {
  const random = seededRandom(cut.seed);
  const laid = replay(recording, cut.upTo).map((disk, index) => {
    const losers = cut.losers?.[index];
    const reached = cut.reached[index] ?? everything;
    return afterCut(disk, { reached, random, ...(losers === undefined ? {} : { losers }) });
  });
  return { laid, hash: laid.map(hashOf).join() };
}

/** All is on the disk. */
export const everything: Reached = { names: "all", data: "all" };
/** Nothing that was not forced is. */
export const nothing: Reached = { names: "forced", data: "synced" };
/** What was removed is back, though all that was written is there. */
export const oldNames: Reached = { names: "forced", data: "all" };
/** Whatever had been written back by then. */
export const someOf: Reached = { names: "some", data: "some" };

const decisive = new Set(["sync", "unlink", "rename", "link", "mkdir", "rmdir"]);

/** Before and after each call that commits something, or takes something away. */
export function moments({ calls }: Recording): number[] {
  const around = calls.flatMap(({ deed }, index) => (decisive.has(deed.do) ? [index, index + 1] : []));
  return [...new Set([...around, calls.length])];
}

/** Every way to give each disk one of `ways`. */
export function combinations(count: number, ways: readonly Reached[]): Reached[][] {
  if (count === 0) return [[]];
  return combinations(count - 1, ways).flatMap((rest) => ways.map((way) => [...rest, way]));
}

/** The extremes at every decisive moment, in an order that the seed makes; then, without end, others at any moment. */
export function* cutsOf(
  recording: Recording,
  random: Random,
  ways: readonly (readonly Reached[])[] = combinations(recording.disks.length, [
    everything,
    nothing,
    oldNames,
  ]),
): Generator<Cut> {
  const extremes = moments(recording).flatMap((upTo) => ways.map((reached) => ({ upTo, reached })));
  for (let left = extremes.length; left > 0; left--) {
    const at = random.below(left);
    const [chosen, last] = [extremes[at], extremes[left - 1]];
    if (chosen === undefined || last === undefined) return;
    extremes[at] = last;
    yield { ...chosen, seed: random.below(2 ** 31) };
  }
  for (;;) yield anyCut(recording, random);
}

function anyCut({ disks, calls }: Recording, source: Random): Cut {
  const reached = disks.map(() => source.pick([someOf, someOf, everything, nothing, oldNames]));
  return { upTo: source.below(calls.length + 1), reached, seed: source.below(2 ** 31) };
}

/** What the model has and the file system does not, or otherwise, once all calls were made; [] where it is true. */
function modelFaults(recording: Recording): string[] {
  const all = recording.disks.map(() => everything);
  const { laid } = cutShort(recording, { upTo: recording.calls.length, reached: all, seed: 1 });
  return recording.disks.flatMap(({ root }, index) => {
    const model = laid[index] ?? new Map<string, Laid>();
    const there = filesBelow(root);
    const names = new Set([
      ...there,
      ...[...model].flatMap(([name, { inode }]) => (inode.kind === "file" ? [name] : [])),
    ]);
    return [...names]
      .filter((name) => !name.endsWith("-shm"))
      .flatMap((name) => {
        const is = existsSync(name) ? readFileSync(name) : undefined;
        const modelled = model.get(name)?.content;
        return is !== undefined && modelled !== undefined && is.equals(modelled)
          ? []
          : [`${name}: ${is?.length ?? "no"} bytes, ${modelled?.length ?? "none"} in the model`];
      });
  });
}

function filesBelow(root: string): string[] {
  return readdirSync(root, { recursive: true, encoding: "utf8" })
    .map((name) => join(root, name))
    .filter((path) => statSync(path).isFile());
}
