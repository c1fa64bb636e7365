// go run main.go [URL]: one call, and what it cost. The standard library alone.
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"net/url"
	"os"
	"strings"
)

func main() {
	base := "http://127.0.0.1:8001"
	if given := os.Getenv("MOCK_URL"); given != "" {
		base = given
	}
	if len(os.Args) > 1 {
		base = os.Args[1]
	}
	ask("POST", base+"/__admin/reset", "", nil)

	var answer struct {
		RespCode string `json:"respCode"`
	}
	form := url.Values{"name": {"李秀英"}, "idNo": {"120101185304270249"}}
	ask("POST", base+"/idenAuthentication", form.Encode(), &answer)

	var ledger struct {
		PaidCalls int `json:"paid_calls"`
	}
	ask("GET", base+"/__admin/ledger", "", &ledger)

	fmt.Println("respCode", answer.RespCode)
	fmt.Println("paid_calls", ledger.PaidCalls)
	if answer.RespCode != "0000" || ledger.PaidCalls != 1 {
		os.Exit(1)
	}
}

func ask(method, url, form string, answer any) {
	request, err := http.NewRequest(method, url, strings.NewReader(form))
	if err != nil {
		log.Fatal(err)
	}
	request.Header.Set("Authorization", "APPCODE any")
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=UTF-8")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		log.Fatal(err)
	}
	defer response.Body.Close()
	// A gateway's refusal has an empty body: look at the status before the JSON.
	if response.StatusCode != http.StatusOK {
		log.Fatal(response.Status, " ", response.Header.Get("X-Ca-Error-Message"))
	}
	if answer != nil {
		if err := json.NewDecoder(response.Body).Decode(answer); err != nil {
			log.Fatal(err)
		}
	}
}
