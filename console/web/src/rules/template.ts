/** What a new rule starts from: it compiles, and its parts say what they are for. */
export const TEMPLATE = `apiVersion: auditing.kubesphere.io/v1alpha1
kind: Rule
metadata:
  name: my-rule
  namespace: kubesphere-logging-system
  labels:
    # alerting: what matches raises alerts. archiving: what matches is kept.
    type: alerting
spec:
  rules:
  - name: user
    type: alias
    desc: who sent the request
    alias: User.username
  - name: change
    type: list
    desc: verbs that change objects
    list:
    - create
    - update
    - patch
    - delete
  - name: SecretChanged
    type: rule
    desc: somebody changed a secret
    condition: Verb in \${change} and ObjectRef.Resource = "secrets"
    output: \${user} \${Verb} secret \${ObjectRef.Name} in \${ObjectRef.Namespace}
    priority: WARNING
    enable: true
`;
