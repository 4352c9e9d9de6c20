// The sources to be trimmed. They are built inside the provider's own module, whose go.mod and go.sum pin the rest.
module localcloud.dev/toolchain/provider-aws-2

go 1.24.10

require (
	github.com/hashicorp/terraform-provider-aws v0.0.0-00010101000000-000000000000
	github.com/upbound/provider-aws/v2 v2.4.0
)

replace github.com/hashicorp/terraform-provider-aws => github.com/upbound/terraform-provider-aws v0.0.0-20251204202605-7049bcc1808e
