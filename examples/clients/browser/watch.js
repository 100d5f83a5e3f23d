// Runs a template and prints its lines on the page: index.html?template=PROJECT/TEMPLATE&server=http://HOST:PORT#TOKEN
import { createClient } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-web";
import { TaskService } from "/gen/signalman/v1/task_service_pb.ts";

const query = new URLSearchParams(location.search);
const [project, template] = (query.get("template") ?? "demo/hello").split("/");
const baseUrl = query.get("server") ?? "http://127.0.0.1:8480";
const tasks = createClient(TaskService, createGrpcWebTransport({ baseUrl }));
// The part of a URL after # is never sent to a server.
const headers = location.hash ? { authorization: `Bearer ${location.hash.slice(1)}` } : {};
const print = (text) => document.querySelector("#log").append(`${text}\n`);

try {
  const { task } = await tasks.runTask(
    { template: `projects/${project}/templates/${template}` },
    { headers },
  );
  for await (const { event } of tasks.watchTask({ name: task.name }, { headers })) {
    if (event.case === "log")
      for (const line of event.value.lines) print(new TextDecoder().decode(line.content));
    if (event.case === "end") print(`exit code ${event.value.task.end.exitCode}`);
  }
} catch (error) {
  print(error.rawMessage ?? error.message);
}
