package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
)

// DeadLetters asks for a page of dead letters.
func (c *Client) DeadLetters(ctx context.Context, f DeadLetterFilter) (*DeadLetterPage, error) {
	q := url.Values{}
	for name, value := range map[string]string{"channel": f.Channel, "sender": f.Sender, "input": f.Input, "after": f.After} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if f.Limit > 0 {
		q.Set("limit", strconv.Itoa(f.Limit))
	}
	var page DeadLetterPage
	return &page, c.get(ctx, "/api/v1/dead-letters", q, &page)
}

// DeadLetter asks for one dead letter with its message.
func (c *Client) DeadLetter(ctx context.Context, id string) (*DeadLetter, error) {
	var l DeadLetter
	return &l, c.get(ctx, "/api/v1/dead-letters/"+url.PathEscape(id), nil, &l)
}

// Redrive has dead letters tried once more.
func (c *Client) Redrive(ctx context.Context, o DeadLetterOrder) (*DeadLetterResult, error) {
	var r DeadLetterResult
	return &r, c.post(ctx, "/api/v1/dead-letters/redrive", o, &r)
}

// DropDeadLetters deletes dead letters for good.
func (c *Client) DropDeadLetters(ctx context.Context, o DeadLetterOrder) (*DeadLetterResult, error) {
	var r DeadLetterResult
	return &r, c.post(ctx, "/api/v1/dead-letters/drop", o, &r)
}

// Queues asks what waits for readers.
func (c *Client) Queues(ctx context.Context) ([]Queue, error) {
	var list []Queue
	err := c.get(ctx, "/api/v1/queues", nil, &list)
	return list, err
}

// Pending asks for the messages of one queue.
func (c *Client) Pending(ctx context.Context, channel, reader string, after uint64, limit int) (*PendingPage, error) {
	q := url.Values{"reader": {reader}, "after": {strconv.FormatUint(after, 10)}, "limit": {strconv.Itoa(limit)}}
	var page PendingPage
	return &page, c.get(ctx, "/api/v1/queues/"+url.PathEscape(channel)+"/messages", q, &page)
}

func (c *Client) get(ctx context.Context, path string, q url.Values, to any) error {
	if len(q) > 0 {
		path += "?" + q.Encode()
	}
	response, err := c.do(ctx, http.MethodGet, path, nil, nil)
	if err != nil {
		return err
	}
	return answer(response, to)
}

func (c *Client) post(ctx context.Context, path string, body, to any) error {
	data, err := json.Marshal(body)
	if err != nil {
		return err
	}
	response, err := c.do(ctx, http.MethodPost, path, http.Header{"Content-Type": {"application/json"}}, bytes.NewReader(data))
	if err != nil {
		return err
	}
	return answer(response, to)
}

func answer(response *http.Response, to any) error {
	defer response.Body.Close()
	if to == nil {
		return nil
	}
	if err := json.NewDecoder(response.Body).Decode(to); err != nil {
		return fmt.Errorf("read the router's answer: %w", err)
	}
	return nil
}
