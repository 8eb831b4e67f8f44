// Looks over the areas once. Started by automatic.ts, never imported.
import { parentPort, workerData } from "node:worker_threads";
import type { Settings } from "../shared/settings.ts";
import { lookOverAreas } from "./look-over-areas.ts";

parentPort?.postMessage(await lookOverAreas(workerData as Settings, process.env));
