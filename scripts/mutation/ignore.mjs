/**
 * Leaves out mutants that change no record: texts of errors, failpoints, and what only says how long a lock is held
 * and how many rows are taken at once.
 */
const errors = new Set(["JobsError", "SchemaChanged", "TypeError"]);
const calls = new Set([
  "failpoint",
  "note",
  "hold",
  "settle",
  "beginGap",
  "passGap",
  "yieldNow",
  "emitMetric",
  "now",
]);

const nameOf = ({ name, property }) => name ?? property?.name;

function shouldIgnore(path) {
  const { node, parent, listKey, key } = path;
  // A call that is left out is a change of the statement.
  const statement = node.type === "ExpressionStatement" ? node.expression : node;
  const { type, callee } = statement.type === "AwaitExpression" ? statement.argument : statement;
  if (type === "CallExpression" && calls.has(nameOf(callee))) return "changes no record";
  const isOfError = parent?.type === "NewExpression" && errors.has(nameOf(parent.callee));
  // The first argument of a JobsError is its code.
  return isOfError && listKey === "arguments" && (key > 0 || nameOf(parent.callee) !== "JobsError")
    ? "text of an error"
    : undefined;
}

export const strykerPlugins = [{ kind: "Ignore", name: "no-record", value: { shouldIgnore } }];
