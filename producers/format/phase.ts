const phases: Record<string, string> = {
  look: "checking the area from the new home",
  check: "the old home checks whether anything prevents the migration",
  "stop-servers": "stopping Megatest's servers",
  "wait-quiet": "waiting until the area is quiet",
  close: "the old home closes its cache and copies it to the area",
  switch: "the new home installs the copy and replaces .homehost",
  watch: "the new home is in use; the old one is watched for late writes for about a minute",
  undo: "undoing the migration",
};

/** Returns the text of a migration's phase; a later version's unknown phase is shown by its name. */
export function phaseText(phase: string): string {
  return phases[phase] ?? phase;
}
