/** A build and its sources. */
export interface Target {
  out: string;
  sources: string[];
  programs: string[];
}

export const targets: { product: Target; tests: Target };

/** Builds a target if a source is newer than its last build. @throws {SetupError} if the sources have errors */
export function buildIfStale(target: Target): Promise<void>;
