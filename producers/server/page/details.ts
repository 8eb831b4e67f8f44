import { askArea } from "./ask.ts";
import type { Area, Diagnosis } from "./documents.ts";
import { Lane } from "./lane.ts";

/** Sizes, runs, locks and last jobs of the visible areas. */
export const areaDetails = new Lane<Area>((path) => askArea(path, ""), 4, 30_000);

/** One at a time, because the doctor reads whole databases. */
export const diagnoses = new Lane<Diagnosis>((path) => askArea(path, "/doctor"), 1, 120_000);
