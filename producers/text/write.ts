import { once } from "node:events";
import type { Writable } from "node:stream";

/** The output cannot be written; `cause` says why. Node does not keep errors of a process's own streams. */
export class OutputFailure extends Error {
  override readonly name = "OutputFailure";
}

const outputFailure = (cause: unknown) => new OutputFailure("cannot write the output", { cause });

/**
 * Writes text and waits until the stream has room, so that a slow reader does not make memory grow.
 *
 * @throws OutputFailure for this or an earlier write
 */
export async function write(stream: Writable, text: string): Promise<void> {
  if (stream.errored) throw outputFailure(stream.errored);
  if (text === "" || stream.write(text)) return;
  try {
    await once(stream, "drain");
  } catch (error) {
    throw outputFailure(error);
  }
}

/** Waits until the stream has written everything. Returns the error if it has not. */
export async function writeFailure(stream: Writable): Promise<Error | undefined> {
  if (stream.errored) return stream.errored;
  return await new Promise((resolve) => {
    stream.write("", (error) => resolve(error ?? undefined));
  });
}
