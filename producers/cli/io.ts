/** What a command sees of its process; the entry point hands it in, so nothing below reads globals. */
export interface CliIo {
  env: NodeJS.ProcessEnv;
  /** Absolute; where a relative AREA begins. */
  cwd: string;
  stdin: NodeJS.ReadStream;
  /** Carries a command's document and nothing else. */
  stdout: NodeJS.WriteStream;
  /** Carries errors, notes and the progress bar. */
  stderr: NodeJS.WriteStream;
  /** Aborted at the first SIGINT, SIGTERM or SIGHUP. */
  interrupt: AbortSignal;
}
