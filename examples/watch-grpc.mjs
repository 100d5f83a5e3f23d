// Runs a template and prints its lines with grpc-js and the .proto files only: node examples/watch-grpc.mjs PROJECT/TEMPLATE
import { readFileSync } from "node:fs";
import { credentials, loadPackageDefinition, Metadata } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";

const {
  SIGNALMAN_SERVER: server = "127.0.0.1:8480",
  SIGNALMAN_CA_FILE: caFile,
  SIGNALMAN_TOKEN: token,
} = process.env;
const includeDirs = [`${import.meta.dirname}/../proto`];
const { signalman } = loadPackageDefinition(loadSync("signalman/v1/task_service.proto", { includeDirs }));
const channel = caFile ? credentials.createSsl(readFileSync(caFile)) : credentials.createInsecure();
const tasks = new signalman.v1.TaskService(server, channel);
const metadata = Metadata.fromHttp2Headers(token ? { authorization: `Bearer ${token}` } : {});

const template = `projects/${(process.argv[2] ?? "demo/hello").replace("/", "/templates/")}`;
tasks.runTask({ template }, metadata, (error, response) => {
  if (error) throw error;
  tasks.watchTask({ name: response.task.name }, metadata).on("data", ({ log, end }) => {
    for (const line of log?.lines ?? []) console.log(line.content.toString());
    if (end) console.log(`exit code ${end.task.end.exitCode}`);
  });
});
