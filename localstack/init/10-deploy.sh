#!/usr/bin/env bash
# Runs inside the LocalStack container once it is ready: deploys what make package templates built on the host.
set -euo pipefail
bucket=findstream-artifacts
for file in lambda/central.zip lambda/agent.zip infra/central.json infra/agent.json; do
    [ -f "/build/$file" ] || { echo "build/$file is missing: make package templates" >&2; exit 1; }
done
awslocal s3 mb "s3://$bucket"
awslocal s3 cp /build/lambda "s3://$bucket" --recursive --exclude '*' --include '*.zip'

deploy() {
    local stack=$1 template=$2
    shift 2
    awslocal cloudformation deploy --stack-name "$stack" --template-file "/build/infra/$template.json" --s3-bucket "$bucket" \
        --capabilities CAPABILITY_NAMED_IAM --parameter-overrides CodeBucket="$bucket" CodeKey="$template.zip" "$@"
}

deploy findstream-local central Stage=local IngestWindowSeconds=1 ProjectorWindowSeconds=0 NotifierWindowSeconds=0
bus=$(awslocal cloudformation describe-stacks --stack-name findstream-local \
    --query "Stacks[0].Outputs[?OutputKey=='BusArn'].OutputValue" --output text)
deploy findstream-agent agent CentralBusArn="$bus" OrgId=o-local00000 AgentVersion=local
