import { isDeepStrictEqual } from "node:util";
import { type JobName, parsePayload, payloadSchemas } from "../../shared/contract/payload.ts";
import { JobsError } from "../../shared/errors.ts";
import type { MakeFuzz } from "./target.ts";

const every = { v: 1, area: "/areas/a1", requestedBy: "ann" };
/** Inputs to begin with. */
export const seeds = [
  { ...every, runname: "%", target: "a/b", state: "x", status: "y", age: 86_400_000, keep: 2 },
  {
    ...every,
    runId: [1, "9223372036854775807"],
    between: "22:00-06:00",
    tz: "UTC",
    maxTime: 5,
    dryRun: true,
  },
  { ...every, runname: "a", compact: "auto", includeLocked: true, deadAfter: 5, policy: "p", schedule: "s" },
  { ...every, runname: "a", onConflict: "rename", touch: true, grace: 100 },
  { ...every, runname: "a", export: "/x", confirmed: true },
  { ...every, file: "/x", anyArea: true },
  { ...every, to: "host-b", takeOver: true, force: false },
].map((data) => Buffer.from(JSON.stringify(data)));

/** Takes any JSON, or refuses it with an error for the sender; what it takes means the same when read again. */
export const payload: MakeFuzz = () => (bytes) => {
  const data = parse(bytes);
  for (const name of Object.keys(payloadSchemas) as JobName[]) {
    const taken = take(name, data);
    if (taken === undefined) continue;
    const again = parsePayload(name, JSON.parse(JSON.stringify(taken)));
    if (!isDeepStrictEqual(again, taken))
      throw new Error(`${name}: ${JSON.stringify(taken)} is read as ${JSON.stringify(again)}`);
  }
};

function parse(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString("utf8"));
  } catch {
    return undefined;
  }
}

function take(name: JobName, data: unknown): unknown {
  try {
    return parsePayload(name, data);
  } catch (error) {
    if (error instanceof JobsError && ["bad-payload", "usage", "unconfirmed"].includes(error.code))
      return undefined;
    throw error;
  }
}
