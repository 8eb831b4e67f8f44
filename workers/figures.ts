import {
  BroadcastChannel,
  getEnvironmentData,
  type MessagePort,
  setEnvironmentData,
} from "node:worker_threads";
import type { Part } from "../shared/sqlite/connection.ts";

/** What the threads of jobs tell of their work, for the metrics of the worker that they belong to. */
export type Figure =
  /** How many tests were worked on at once, and for how long a database was locked for it. */
  | { figure: "batch"; part: Part; tests: number }
  | { figure: "lock"; part: Part; ms: number }
  /** A busy database was waited for. */
  | { figure: "wait"; ms: number };

/** Known to every thread that is started after `hearFigures`, and to those that they start. */
const key = "mtjobs-figures";

let channel: BroadcastChannel | undefined;

/** Tells the process of a figure; costs nothing where nobody hears. */
export function tellFigure(figure: Figure): void {
  const name: unknown = getEnvironmentData(key);
  if (typeof name !== "string") return;
  channel ??= open(name);
  channel.postMessage(figure);
}

/** Hears the figures of all threads that this one starts from now on, until the function that is returned is called. */
export function hearFigures(hear: (figure: Figure) => void): () => void {
  const name = `${key}-${process.pid}`;
  setEnvironmentData(key, name);
  const ear = open(name);
  ear.onmessage = (event) => hear((event as { data: Figure }).data);
  return () => {
    setEnvironmentData(key, undefined);
    ear.close();
  };
}

/** It keeps no thread from ending. */
function open(name: string): BroadcastChannel {
  const opened = new BroadcastChannel(name);
  (opened as unknown as MessagePort).unref();
  return opened;
}
