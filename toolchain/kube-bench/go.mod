// The source, which is built inside its own module, whose go.mod and go.sum pin the rest.
module localcloud.dev/toolchain/kube-bench

go 1.24.0

require github.com/aquasecurity/kube-bench v0.12.0
