// Runs a template and prints its lines with grpc-js and the .proto files only: node examples/watch-grpc.mjs PROJECT/TEMPLATE
import grpc from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";

const [project, template] = (process.argv[2] ?? "demo/hello").split("/");
const includeDirs = [`${import.meta.dirname}/../proto`];
const proto = loadSync("signalman/v1/task_service.proto", { includeDirs });
const { TaskService } = grpc.loadPackageDefinition(proto).signalman.v1;
const server = process.env.SIGNALMAN_SERVER ?? "127.0.0.1:8480";
const tasks = new TaskService(server, grpc.credentials.createInsecure());
const token = process.env.SIGNALMAN_TOKEN;
const metadata = grpc.Metadata.fromHttp2Headers(token ? { authorization: `Bearer ${token}` } : {});

tasks.runTask({ template: `projects/${project}/templates/${template}` }, metadata, (error, response) => {
  if (error) throw error;
  tasks.watchTask({ name: response.task.name }, metadata).on("data", ({ log, end }) => {
    for (const line of log?.lines ?? []) console.log(line.content.toString());
    if (end) console.log(`exit code ${end.task.end.exitCode}`);
  });
});
