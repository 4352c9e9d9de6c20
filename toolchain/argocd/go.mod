// The source, which is built inside its own module, whose go.mod and go.sum pin the rest.
module localcloud.dev/toolchain/argocd

go 1.25.5

require github.com/argoproj/argo-cd/v3 v3.2.11
