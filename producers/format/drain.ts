import { plural } from "../../shared/text.ts";
import type { DrainedArea, DrainResult, StayedArea } from "../contract/schedule.ts";
import { printable, textTable } from "./table.ts";

/** Formats the result of draining a host: what moved, what stays and why, what is still pending. */
export function drainText({ host, dryRun, moved, stayed, enqueued, warnings }: DrainResult): string {
  const head = dryRun
    ? `${host} would take no new areas`
    : `${host} takes no new areas (mtjobs undrain ${host} ends this)`;
  const paragraphs = [head];
  if (moved.length + stayed.length + enqueued.length === 0) paragraphs.push(`no area is at home on ${host}`);
  if (moved.length > 0)
    paragraphs.push(`${dryRun ? "could move" : "moved"} ${plural(moved.length, "area")}:\n${rows(moved)}`);
  if (stayed.length > 0) paragraphs.push(`${dryRun ? "would stay" : "stayed"}:\n${stayedRows(stayed)}`);
  if (enqueued.length > 0) paragraphs.push(`pending (mtjobs job ID shows progress):\n${rows(enqueued)}`);
  for (const warning of warnings) paragraphs.push(`warning: ${printable(warning)}`);
  return paragraphs.join("\n\n");
}

function rows(areas: readonly DrainedArea[]): string {
  return textTable(
    areas.map(({ area, to, jobId }) => [area, `to ${to}`, jobId]),
    { indent: "  " },
  );
}

function stayedRows(areas: readonly StayedArea[]): string {
  return textTable(
    areas.map(({ area, to, code, message }) => [area, to === undefined ? "-" : `to ${to}`, code, message]),
    { indent: "  " },
  );
}
