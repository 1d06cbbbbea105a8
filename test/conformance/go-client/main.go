// A stranger's client: it knows the contract in proto/, and nothing else of Usher.
//
// Takes a ticket in the queue and watches it until it is admitted; tells each answer in a line of JSON.
//
//	client <address> <queue>    the API key is in USHER_API_KEY
package main

import (
	"context"
	"fmt"
	"os"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	queue "client/usher"
)

func main() {
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(address, name string) error {
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer conn.Close()
	ctx := metadata.AppendToOutgoingContext(context.Background(), "usher-api-key", os.Getenv("USHER_API_KEY"))
	client := queue.NewQueueServiceClient(conn)

	issued, err := client.Issue(ctx, &queue.IssueRequest{Queue: name})
	if err != nil {
		return err
	}
	if err := tell(issued); err != nil {
		return err
	}
	stream, err := client.WatchPosition(ctx, &queue.WatchPositionRequest{Token: issued.Token})
	if err != nil {
		return err
	}
	for {
		told, err := stream.Recv()
		if err != nil {
			return err
		}
		if err := tell(told); err != nil {
			return err
		}
		if told.Status.GetTicket().GetState() == queue.TicketState_TICKET_STATE_ADMITTED {
			return nil
		}
	}
}

func tell(message proto.Message) error {
	line, err := protojson.Marshal(message)
	if err == nil {
		fmt.Println(string(line))
	}
	return err
}
