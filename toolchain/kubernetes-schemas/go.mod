// Only files of the source are taken, nothing is compiled.
module localcloud.dev/toolchain/kubernetes-schemas

go 1.26.0

require k8s.io/kubernetes v1.37.2
