/** A build and its sources. */
export interface Target {
  project: string;
  out: string;
  sources: string[];
}

export const targets: { product: Target; tests: Target };

/** Compiles a target if a source is newer than its last build. @throws {SetupError} if tsc finds errors */
export function buildIfStale(target: Target): Promise<void>;
