// Promcheck reads what Prometheus and Grafana will: files of alert rules (.yml), and JSON objects of PromQL expressions by
// the place they stand at (.json). Exit code 0 good, 1 refused, 2 wrong usage.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: promcheck FILE.yml|FILE.json ...")
		os.Exit(2)
	}
	var found []string
	for _, file := range os.Args[1:] {
		text, err := os.ReadFile(file)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		var errs []error
		if strings.HasSuffix(file, ".json") {
			errs = expressions(text)
		} else {
			errs = rules(text)
		}
		for _, err := range errs {
			found = append(found, fmt.Sprintf("%s: %v", file, err))
		}
	}
	for _, line := range found {
		fmt.Fprintln(os.Stderr, line)
	}
	if len(found) > 0 {
		os.Exit(1)
	}
}

// rules reads alert rules as Prometheus does at its start, and wants of each what a person needs at night.
func rules(text []byte) []error {
	groups, errs := rulefmt.Parse(text, false, model.UTF8Validation)
	if len(errs) > 0 {
		return errs
	}
	count := 0
	for _, group := range groups.Groups {
		for _, rule := range group.Rules {
			count++
			for _, wanted := range []string{"summary", "runbook"} {
				if rule.Annotations[wanted] == "" {
					errs = append(errs, fmt.Errorf("%s has no %s", rule.Alert, wanted))
				}
			}
			if severity := rule.Labels["severity"]; severity != "page" && severity != "ticket" {
				errs = append(errs, fmt.Errorf("%s: severity is %q", rule.Alert, severity))
			}
		}
	}
	if count == 0 {
		errs = append(errs, fmt.Errorf("no rules"))
	}
	return errs
}

func expressions(text []byte) []error {
	var all map[string]string
	if err := json.Unmarshal(text, &all); err != nil {
		return []error{err}
	}
	var errs []error
	if len(all) == 0 {
		errs = append(errs, fmt.Errorf("no expressions"))
	}
	for at, expr := range all {
		if _, err := parser.ParseExpr(expr); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", at, err))
		}
	}
	return errs
}
