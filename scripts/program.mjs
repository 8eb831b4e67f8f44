/** What every set-up script that is run as a program does first. */
import { isProgram, statusOf } from "./command.mjs";
import { checkoutNode, runAgain } from "./node.mjs";

/**
 * Runs `work` with the checkout's Node if the module was started as a program (not imported). A SetupError is printed
 * as one line; the exit status is what `work` resolves to, 0 without a value.
 */
export async function asProgram(moduleUrl, work) {
  if (!isProgram(moduleUrl)) return;
  if (process.connected) {
    // Started by `runAgain`: end with it. What this process started ends by its own guards.
    process.once("disconnect", () => process.kill(process.pid, "SIGKILL"));
    process.channel?.unref();
  }
  process.exitCode = await statusOf(async () => {
    const node = await checkoutNode();
    return node === undefined ? await work(process.argv.slice(2)) : await runAgain(node);
  });
}
