/** What a command sees of its process. The entry point provides it, so that nothing below reads globals. */
export interface CliIo {
  env: NodeJS.ProcessEnv;
  /** Absolute; the base of a relative AREA. */
  cwd: string;
  stdin: NodeJS.ReadStream;
  /** Receives a command's document and nothing else. */
  stdout: NodeJS.WriteStream;
  /** Receives errors, notes and the progress bar. */
  stderr: NodeJS.WriteStream;
  /** Aborted at the first SIGINT, SIGTERM or SIGHUP. */
  interrupt: AbortSignal;
}
