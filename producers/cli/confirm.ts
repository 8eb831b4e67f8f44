import { createInterface } from "node:readline/promises";
import { JobsError } from "../../shared/errors.ts";
import type { CliIo } from "./io.ts";

/**
 * Asks a person at a terminal to type `word`, which cannot happen by habit as "y" can.
 * @throws {JobsError} `unconfirmed` without a terminal, or for any other answer; `hint` says what a script does
 *   instead
 */
export async function confirm(io: CliIo, question: string, word: string, hint: string): Promise<void> {
  const refusal = (why: string) => new JobsError("unconfirmed", why, { hint });
  if (!io.stdin.isTTY || !io.stderr.isTTY) throw refusal("confirmation needs a terminal");
  const terminal = createInterface({ input: io.stdin, output: io.stderr });
  try {
    const answer = await terminal.question(`${question}\nType ${word} to continue: `, {
      signal: io.interrupt,
    });
    if (answer.trim() !== word) throw refusal("not confirmed");
  } catch (error) {
    if (error instanceof JobsError) throw error;
    throw refusal("not confirmed"); // Ctrl-C or end of input
  } finally {
    terminal.close();
  }
}
