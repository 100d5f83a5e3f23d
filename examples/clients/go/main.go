// Runs a template and prints its lines: go run . PROJECT/TEMPLATE
package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	pb "example.com/watch/gen/signalman/v1"
)

func main() {
	project, template, _ := strings.Cut(cmp.Or(strings.Join(os.Args[1:], ""), "demo/hello"), "/")
	server := cmp.Or(os.Getenv("SIGNALMAN_SERVER"), "127.0.0.1:8480")
	transport := insecure.NewCredentials()
	if caFile := os.Getenv("SIGNALMAN_CA_FILE"); caFile != "" {
		transport = must(credentials.NewClientTLSFromFile(caFile, ""))
	}
	connection := must(grpc.NewClient(server, grpc.WithTransportCredentials(transport)))
	tasks, ctx := pb.NewTaskServiceClient(connection), context.Background()
	if token := os.Getenv("SIGNALMAN_TOKEN"); token != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token)
	}

	request := &pb.RunTaskRequest{Template: "projects/" + project + "/templates/" + template}
	task := must(tasks.RunTask(ctx, request)).Task
	events := must(tasks.WatchTask(ctx, &pb.WatchTaskRequest{Name: task.Name}))
	for event := must(events.Recv()); ; event = must(events.Recv()) {
		for _, line := range event.GetLog().GetLines() {
			fmt.Println(string(line.Content))
		}
		if end := event.GetEnd(); end != nil {
			fmt.Println("exit code", end.Task.End.GetExitCode())
			return
		}
	}
}

func must[T any](value T, err error) T {
	if err != nil {
		fmt.Fprintln(os.Stderr, status.Convert(err).Message())
		os.Exit(1)
	}
	return value
}
