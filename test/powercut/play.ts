import { type Random, seededRandom } from "../../producers/demo/sample-area/random.ts";
import { type Laid, layOut } from "./cut.ts";
import { type Cut, cutShort, type Recording } from "./recording.ts";

export interface Loss {
  cut: Cut;
  error: string;
}

export interface Played {
  /** Cuts that left another state of the disks than any before. */
  tried: number;
  losses: Loss[];
}

/**
 * Lays out the disks after each cut, lets the next job continue, and checks. A state that an earlier cut left is not tried
 * again.
 *
 * @param until called before each cut: true if the time is up, or enough has been seen
 */
export async function play(
  recording: Recording,
  cuts: Iterable<Cut>,
  recover: (cut: Cut, random: Random) => Promise<void>,
  { until, lost = () => {} }: { until(played: Played): boolean; lost?: (loss: Loss) => void },
): Promise<Played> {
  const seen = new Set<string>();
  const played: Played = { tried: 0, losses: [] };
  for (const cut of cuts) {
    if (until(played)) break;
    const { laid, hash } = cutShort(recording, cut);
    if (seen.has(hash)) continue;
    seen.add(hash);
    played.tried += 1;
    layOutAll(recording, laid);
    try {
      await recover(cut, seededRandom(cut.seed));
    } catch (error) {
      const loss = { cut, error: error instanceof Error ? (error.stack ?? String(error)) : String(error) };
      played.losses.push(loss);
      lost(loss);
    }
  }
  return played;
}

/** Lays out what a cut leaves, and nothing more. */
export function layOutCut(recording: Recording, cut: Cut): void {
  layOutAll(recording, cutShort(recording, cut).laid);
}

function layOutAll({ disks }: Recording, laid: readonly Map<string, Laid>[]): void {
  for (const [index, { root }] of disks.entries()) layOut(root, laid[index] ?? new Map());
}
