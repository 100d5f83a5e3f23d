// Runs a template and prints its lines: node examples/watch.ts PROJECT/TEMPLATE
import { connectSignalman } from "../src/client/connect.ts"; // installed: "signalman/client"

const [project, template] = (process.argv[2] ?? "demo/hello").split("/");
using signalman = connectSignalman({
  server: process.env.SIGNALMAN_SERVER,
  token: process.env.SIGNALMAN_TOKEN,
});

const { task } = await signalman.tasks.runTask({ template: `projects/${project}/templates/${template}` });
for await (const { event } of signalman.watch({ name: task?.name })) {
  if (event.case === "log") {
    for (const line of event.value.lines) console.log(Buffer.from(line.content).toString());
  }
  if (event.case === "end") console.log(`exit code ${event.value.task?.end?.exitCode}`);
}
