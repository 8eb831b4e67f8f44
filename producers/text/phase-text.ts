/** What a coordinating job does in the phases that it reports. */
const phases: Record<string, string> = {
  look: "looking at the area from the new home",
  check: "the old home looks for what speaks against it",
  "stop-servers": "Megatest's servers are ended",
  "wait-quiet": "waiting until the area is quiet",
  close: "the old home closes its cache and copies it to the area",
  switch: "the new home installs the copy, and .homehost is replaced",
  watch: "the new home works; the old one is watched for late writes, for a minute or so",
  undo: "it is undone",
};

/** A phase of a migration as a sentence; one of a later version by its name. */
export function phaseText(phase: string): string {
  return phases[phase] ?? phase;
}
