import { filesAtHand } from "../../shared/sqlite/connection.ts";
import { nameDatabase } from "../../shared/sqlite/name-database.ts";

/** One question about an area, and its answer. */
export interface Check {
  /** Stable, for programs. */
  name: string;
  /** Null: it could not be told, or is worth knowing and no fault. */
  ok: boolean | null;
  /** One sentence. */
  verdict: string;
  /** What to do about it, one sentence. */
  remedy?: string;
  /** Facts for programs; plain JSON. */
  details?: Record<string, unknown>;
}

type Rest = Pick<Check, "remedy" | "details">;

export const good = (name: string, verdict: string, rest: Rest = {}): Check => ({
  name,
  ok: true,
  verdict,
  ...rest,
});

/** Not known, or worth knowing: no fault. */
export const note = (name: string, verdict: string, rest: Rest = {}): Check => ({
  name,
  ok: null,
  verdict,
  ...rest,
});

export const bad = (name: string, verdict: string, rest: Rest = {}): Check => ({
  name,
  ok: false,
  verdict,
  ...rest,
});

/**
 * The checks that `look` makes. What it throws becomes a verdict under `name`: busy (somebody is at work, or a journal is
 * hot) leaves it open, anything else is a fault.
 */
export async function examine(name: string, look: () => Check[] | Promise<Check[]>): Promise<Check[]> {
  try {
    return await look();
  } catch (thrown) {
    const { code, message, hint, details } = nameDatabase(thrown, filesAtHand());
    const rest = { ...(hint === undefined ? {} : { remedy: hint }), details: { ...details, code } };
    return [code === "busy" ? note(name, `not looked at: ${message}`, rest) : bad(name, message, rest)];
  }
}
