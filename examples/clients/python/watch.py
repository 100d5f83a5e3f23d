# Runs a template and prints its lines: python watch.py PROJECT/TEMPLATE
import os, pathlib, sys
import grpc

sys.path.append(str(pathlib.Path(__file__).parents[3] / "proto"))  # where the .proto files are found
protos, services = grpc.protos_and_services("signalman/v1/task_service.proto")
project, _, template = (sys.argv[1] if len(sys.argv) > 1 else "demo/hello").partition("/")
server, ca_file = os.environ.get("SIGNALMAN_SERVER", "127.0.0.1:8480"), os.environ.get("SIGNALMAN_CA_FILE")
tls = grpc.ssl_channel_credentials(pathlib.Path(ca_file).read_bytes()) if ca_file else None
channel = grpc.secure_channel(server, tls) if tls else grpc.insecure_channel(server)
token = os.environ.get("SIGNALMAN_TOKEN")
metadata = [("authorization", f"Bearer {token}")] if token else []
tasks = services.TaskServiceStub(channel)

try:
    request = protos.RunTaskRequest(template=f"projects/{project}/templates/{template}")
    task = tasks.RunTask(request, metadata=metadata).task
    for event in tasks.WatchTask(protos.WatchTaskRequest(name=task.name), metadata=metadata):
        for line in event.log.lines:
            print(line.content.decode(errors="replace"), flush=True)
        if event.HasField("end"):
            print(f"exit code {event.end.task.end.exit_code}")
except grpc.RpcError as error:
    sys.exit(error.details())
