// peer.go: Go's goroutines.
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	submits = 1000000
	yields  = 2000000
	crowd   = 100000
)

func fib(n int) int {
	if n < 2 {
		return n
	}
	var a int
	var done sync.WaitGroup
	done.Add(1)
	go func() {
		a = fib(n - 1)
		done.Done()
	}()
	b := fib(n - 2)
	done.Wait()
	return a + b
}

func forks(n int) float64 {
	last, f := 0.0, 0.0
	for i := 2; i <= n; i++ {
		last, f = f, f+last+1
	}
	return f
}

func measureFib() {
	begin := time.Now()
	if fib(23) != 28657 {
		os.Exit(2)
	}
	fmt.Printf("{\"fork\":%.3f}\n", float64(time.Since(begin).Nanoseconds())/forks(23))
}

func measureSubmit() {
	var done sync.WaitGroup
	done.Add(submits)
	begin := time.Now()
	for i := 0; i < submits; i++ {
		go done.Done()
	}
	done.Wait()
	fmt.Printf("{\"million_per_s\":%.3f}\n", submits*1e3/float64(time.Since(begin).Nanoseconds()))
}

func measureYield() {
	runtime.GOMAXPROCS(1)
	var done sync.WaitGroup
	done.Add(2)
	begin := time.Now()
	for k := 0; k < 2; k++ {
		go func() {
			for i := 0; i < yields; i++ {
				runtime.Gosched()
			}
			done.Done()
		}()
	}
	done.Wait()
	fmt.Printf("{\"ns\":%.2f}\n", float64(time.Since(begin).Nanoseconds())/(2*yields))
}

func resident() float64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		os.Exit(2)
	}
	pages, _ := strconv.ParseFloat(strings.Fields(string(text))[1], 64)
	return pages * 4096
}

func ms(since time.Time) float64 {
	return float64(time.Since(since).Nanoseconds()) / 1e6
}

func crowdOnce() (suspend, wake, bytes float64) {
	var waiting int64
	var done sync.WaitGroup
	gate := make(chan struct{})
	done.Add(crowd)
	begin := time.Now()
	for i := 0; i < crowd; i++ {
		go func() {
			atomic.AddInt64(&waiting, 1)
			<-gate
			done.Done()
		}()
	}
	for atomic.LoadInt64(&waiting) < crowd {
		runtime.Gosched()
	}
	suspend = ms(begin)
	bytes = resident()
	begin = time.Now()
	close(gate)
	done.Wait()
	return suspend, ms(begin), bytes
}

func measureCrowd() {
	before := resident()
	first, wake, bytes := crowdOnce()
	warm, again, _ := crowdOnce()
	if again < wake {
		wake = again
	}
	fmt.Printf("{\"first_ms\":%.2f,\"warm_ms\":%.2f,\"wake_ms\":%.2f,\"bytes\":%.0f}\n", first, warm, wake, (bytes-before)/crowd)
}

func main() {
	measures := map[string]func(){"fib": measureFib, "submit": measureSubmit, "yield": measureYield, "crowd": measureCrowd}
	if len(os.Args) > 2 {
		if threads, err := strconv.Atoi(os.Args[2]); err == nil {
			runtime.GOMAXPROCS(threads)
		}
	}
	if len(os.Args) < 2 || measures[os.Args[1]] == nil {
		os.Exit(3)
	}
	measures[os.Args[1]]()
}
